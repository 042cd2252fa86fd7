"""What can be set of a detector, its training and its use, with defaults.

Numbers that follow from others are properties.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class BaseConfig:
    """Visual detector: embedding, pyramid, neck and heads.

    Defaults are ActionFormer's (Zhang et al., ECCV 2022); what only one kind of block, neck or base
    reads is marked so.
    """

    kind: Literal["actionformer", "tridet", "temporalmaxer"] = "actionformer"
    """Which of the three; it settles the blocks and the boundary head."""
    input_channels: int = 2048
    """Width of the visual features; training fills it in."""
    input_groups: tuple[int, ...] = ()
    """Channels of each of several encoders stacked in the input; each is projected on its own first."""
    embed_channels: int = 512
    """Width of the pyramid."""
    embed_groups: tuple[int, ...] = ()
    """Channels that each input group is projected to; they add up to `embed_channels`."""
    encoder: Literal["auto", "transformer", "sgp", "maxpool", "conv"] = "auto"
    """Blocks of the pyramid; `auto` for those that the kind is known by: transformer blocks
    (ActionFormer), SGP layers (TriDet), max-pooling (TemporalMaxer)."""
    embed_layers: int = 2
    """Convolutions before the pyramid."""
    embed_kernel: int = 3
    """Their width in steps, odd."""
    embed_norm: bool = True
    """A layer norm after each of them."""
    stem_layers: int = 2
    """Blocks before the first halving; TemporalMaxer has none, whatever stands here."""
    levels: int = 6
    """Levels of the encoder; the heads read those from `neck_first_level` on."""
    heads: int = 4
    """Transformer: attention heads."""
    window: tuple[int, ...] = (9,)
    """Transformer: local attention window per level in steps, -1 for full; one value serves all levels."""
    absolute_position: bool = False
    """Add a sine and cosine encoding of the step to what enters the pyramid."""
    relative_position: bool = False
    """Transformer: add a learnt score per head and relative position; local windows only."""
    sgp_window: tuple[int, ...] = (5,)
    """SGP: steps that each step sees per level, odd; one value serves all levels. The stem sees 1."""
    sgp_ratio: float = 2.0
    """SGP: how much farther its wide convolution sees."""
    sgp_channels: int | None = None
    """SGP: width of its hidden layer; None for twice `embed_channels`."""
    sgp_groups: int = 16
    """SGP: channel groups of its group norm."""
    sgp_spread: float = 0.1
    """SGP: standard deviation that its depthwise weights start with. With 0, as the published
    recipes for THUMOS14 and EPIC-Kitchens have it, their products never get a gradient."""
    pooling: Literal["max", "average"] = "max"
    """SGP: how levels are halved."""
    pool_width: int | None = None
    """Max-pooling: steps that each maximum is taken over, odd; None for `scale_factor`, or one
    more if that is even."""
    max_steps: int = 2304
    """Longest training sequence in steps; absolute position encoding is laid out for it."""
    neck: Literal["identity", "fpn"] = "identity"
    """`fpn` adds coarse levels to the finer ones (Lin et al., CVPR 2017)."""
    neck_channels: int = 512
    """Width of the levels that the heads read."""
    neck_norm: bool = True
    """A layer norm after the neck."""
    neck_norm_shared: bool = False
    """Identity neck: one norm serves all levels, rather than each level having its own."""
    neck_norm_groups: int | None = None
    """Identity neck: channel groups of a norm over all steps of a clip's level, without weights;
    None for a norm of every step by itself."""
    neck_first_level: int = 0
    """The finest level of the encoder that the heads read."""
    head_channels: int = 512
    """Width of the heads' hidden convolutions."""
    head_kernel: int = 3
    """Width of the heads' convolutions in steps, odd."""
    head_layers: int = 3
    """Convolutions of a head, its last one included."""
    head_norm: bool = True
    """A layer norm after each hidden convolution of a head."""
    trident: bool = True
    """TriDet: boundaries per class as an expectation over bins; otherwise plain distances."""
    bins: int = 16
    """TriDet: steps of the own level from a step to the farthest boundary it can name."""
    boundary_kernel: int = 3
    """TriDet: kernel of the heads that tell starts and ends."""
    scale_factor: int = 2
    """How many steps of a level make one of the next."""
    dropout: float = 0.0
    """Transformer: chance that a value after attention or in the feed-forward layer is left out while training."""
    drop_path: float = 0.1
    """Chance that a clip goes without a residual branch while training."""
    class_prior: float = 0.01
    """Probability of each class that a fresh class head answers with everywhere."""
    empty_classes: tuple[int, ...] = ()
    """Classes without training segments; their bias starts far below the prior."""
    official_padding: bool = False
    """Let steps see padding as the published code does. Published weights need it to keep their
    numbers; otherwise padding is never seen."""
    silent_padding: bool = False
    """With `official_padding`: convolutions of embedding and heads leave padding at 0 behind their norm,
    and TriDet's last ones say something of it too, both as in OpenTAD."""
    norm_margin: float = 1e-5
    """Added to variances by the norms of embedding, neck and heads; OpenTAD's weights have 1e-6."""

    @property
    def blocks(self) -> str:
        """The encoder with `auto` resolved."""
        own = {"actionformer": "transformer", "tridet": "sgp", "temporalmaxer": "maxpool"}
        return own[self.kind] if self.encoder == "auto" else self.encoder

    @property
    def sgp_hidden(self) -> int:
        """Width of the hidden layer in SGP blocks."""
        return 2 * self.embed_channels if self.sgp_channels is None else self.sgp_channels


@dataclass(frozen=True)
class FusionConfig:
    """How audio enters the pyramid (MRAV-FF, arXiv 2310.03456)."""

    kind: Literal["none", "sum", "concat", "cross_attention", "mrav"] = "none"
    """`none` for vision alone; the others as of `LevelFusion`."""
    audio_channels: int = 128
    """Width of the audio features; training fills it in."""
    audio_kernel: int = 3
    """Width in steps, odd, of the convolution that audio enters through."""
    heads: int = 4
    """Of the cross-attention."""
    attention_channels: int | None = None
    """Width of its queries, keys and values; None for that of the levels. Half of it about halves what fusion costs."""
    window: int = 9
    """Local cross-attention window in steps of each level, -1 for full."""
    gate: Literal["scalar", "channel", "softmax"] = "scalar"
    """One number per step, one per step and channel, or the sound's share in a softmax over two scores."""
    gate_source: Literal["visual", "audio", "both"] = "visual"
    """Features that the gate is computed from."""
    mix: Literal["convex", "residual"] = "convex"
    """`convex`: (1 - gate) * visual + gate * attended; `residual`: visual + gate * attended."""
    fuse_for: Literal["both", "classes", "boundaries"] = "both"
    """Which heads read fused levels; the other reads vision alone."""
    shared_levels: bool = False
    """One fusion for all levels rather than one each."""
    audio_dropout: float = 0.0
    """Chance that a training clip goes without sound (fusion bypassed)."""
    dropout: float = 0.0
    """On attended audio while training."""
    gate_opening: float = 1.0
    """Share of each gate that is let through. A training that starts from a visual detector begins
    with 0, where the output is exactly that detector's, and ends with 1."""


@dataclass(frozen=True)
class TestConfig:
    """From logits to detections. Defaults are ActionFormer's for EPIC-Kitchens-100."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    pre_nms_min_score: float = 0.001
    """A class at a point becomes a candidate if its probability lies above."""
    pre_nms_top_k: int = 5000
    """Most candidates of one level, or of a clip."""
    pre_nms_of: Literal["level", "clip"] = "level"
    """Whether that many are kept of each level or of all together (OpenTAD)."""
    min_duration_grid: float = 0.05
    """Shortest candidate, in finest feature steps."""
    nms: Literal["soft", "hard", "none"] = "soft"
    """`soft` lowers the scores of what overlaps a better candidate, `hard` drops it, `none` leaves all as they are."""
    iou_threshold: float = 0.1
    """Hard: tIoU from which a candidate is dropped."""
    sigma: float = 0.4
    """Soft: scores fall by exp(-tIoU² / sigma)."""
    min_score: float = 0.001
    """Soft: candidates whose score falls below are dropped; hard: those that do not lie above."""
    max_segments: int = 2000
    """Most detections of a clip."""
    multiclass: bool = True
    """Suppress each class on its own."""
    voting_threshold: float = 0.75
    """Where classes suppress each other: a detection moves to the weighted mean of the candidates whose tIoU
    with it reaches this; 0 for no voting."""
    vote_weight: Literal["score_iou", "score"] = "score_iou"
    """Weight of such a candidate: score × tIoU (ActionFormer) or score (TriDet)."""
    max_buffer_factor: float = 4.0
    """Longest sequence at inference, in multiples of `max_steps`, where the base has such a limit."""
    keep_outside: bool = False
    """Keep detections that lie wholly outside the clip, cut to no length as the published code leaves them."""


@dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    seed: int = 0
    """All that is random follows from it."""
    epochs: int = 16
    """After the warm-up."""
    warmup_epochs: int = 5
    """Epochs over which the learning rate rises in a line, before the others."""
    batch_size: int = 2
    """Clips of a batch, over all devices."""
    learning_rate: float = 1e-4
    """At the end of the warm-up."""
    weight_decay: float = 0.05
    """Of convolutions and projections; biases, norms and scales do not decay (AdamW)."""
    schedule: Literal["cosine", "multistep"] = "cosine"
    """How the learning rate falls after the warm-up."""
    final_learning_rate: float = 1e-8
    """Where the cosine schedule ends."""
    schedule_steps: tuple[int, ...] = ()
    """Multistep: epochs after the warm-up at which the learning rate falls."""
    schedule_gamma: float = 0.1
    """Multistep: what it is then multiplied with."""
    clip_gradient_norm: float = 1.0
    """Longest gradient over all weights; 0 or less for any length."""
    ema_decay: float = 0.999
    """Share of the averaged weights, which a run hands out, that each step keeps."""
    accumulate_batches: int = 1
    """Batches to one step of the optimiser."""
    batches_by: Literal["chance", "length"] = "chance"
    """Which clips share a batch: any, or those of like length among a few batches' clips, which
    are then padded less."""
    steps_at_once: int = 2560
    """Padded steps that pass through the model at once; a larger batch is cut into parts, which
    need less memory and padding and give the same losses. 0 for whole batches, which is also what
    `loss_weight: 0` needs."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the forward pass; weights, losses and updates are float32 anyway."""
    freeze_base: bool = False
    """Train the fusion alone; embedding, pyramid and heads stay as they started."""
    regression_range: tuple[tuple[float, float], ...] = (
        (0, 4),
        (2, 8),
        (4, 16),
        (8, 32),
        (16, 64),
        (32, 10000),
    )
    """Per level: segments whose larger boundary distance, in finest steps, lies in this range."""
    centre_sampling: Literal["radius", "none"] = "radius"
    """`radius`: only points near a segment's centre learn it; `none`: all within it."""
    centre_radius: float = 1.5
    """How near, in strides of the point's level."""
    loss_weight: float = 1.0
    """Weight of the boundary loss; 0 or less balances it against the class loss automatically."""
    initial_loss_norm: float = 100.0
    """Where the running number of positive points, which losses are divided by, starts."""
    label_smoothing: float = 0.0
    """Share of each target that is spread evenly over the classes."""
    iou_weight_power: float = 0.0
    """Where boundaries are per class, a true class's loss counts in proportion to its predicted
    boundaries' tIoU to this power; 0 for all alike. TriDet's recipes have 0.2 to 1."""
    input_noise: float = 0.0
    """Standard deviation of normal noise on visual features."""
    crop_ratio: tuple[float, float] | None = (0.9, 1.0)
    """Clips of up to `max_steps` are cut to a random share of their length in this range; None to leave them
    whole. Longer ones are cut to `max_steps`."""
    truncated_share: float = 0.5
    """A segment cut by cropping stays when at least this share of it remains."""
    crop_margin: float = 0.0
    """Finest steps by which a segment may reach beyond the first and last step of a crop. ActionFormer's code and
    TriDet's let it reach as far as the windows of those steps, which is half a window; so do the recipes of the data
    sets that these come with. UnAV-100's own code does not."""
    store_half: bool = False
    """Store the finished weights as float16, half as large."""


@dataclass(frozen=True)
class LabelSet:
    """One set of classes, such as `verb`; a label is an index into `labels`, the classes' names."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class DataConfig:
    """Which label sets are learnt from which features."""

    label_set: str = "verb"
    """What is learnt: a label set of the workspace, or `proposal` for segments of any class."""
    further_label_sets: tuple[str, ...] = ()
    """Learnt jointly with the first: one detector, its logits are those of each set after another."""
    visual_encoder: str = "visual"
    """Name of a feature set of the workspace."""
    audio_encoder: str | None = "audio"
    """The same of sound; None for none."""
    train_split: str = "train"
    """Clips to train on."""
    test_split: str = "validation"
    """Clips that are scored."""


@dataclass(frozen=True)
class StartConfig:
    """A trained detector that a run starts from instead of random weights."""

    checkpoint: str | None = None
    """Run of the workspace, folder of a detector, or official checkpoint; None for random weights."""
    config: str | None = None
    """Configuration of an official checkpoint: its YAML file, or OpenTAD's in Python."""


@dataclass(frozen=True)
class Recipe:
    """Everything that defines a run besides the data itself."""

    name: str = "run"
    data: DataConfig = field(default_factory=DataConfig)
    base: BaseConfig = field(default_factory=BaseConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    test: TestConfig = field(default_factory=TestConfig)
    start: StartConfig = field(default_factory=StartConfig)
