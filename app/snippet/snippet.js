// One `<video>` that loops over a piece of itself, and a strip that shows where the segment lies.

const players = new WeakMap();

class Snippet {
  constructor(root) {
    this.video = document.createElement("video");
    Object.assign(this.video, { controls: true, playsInline: true, preload: "metadata" });
    this.video.dataset.testid = "snippet";
    this.strip = document.createElement("div");
    this.strip.className = "strip";
    this.segment = this.strip.appendChild(document.createElement("div"));
    this.segment.className = "segment";
    this.needle = this.strip.appendChild(document.createElement("div"));
    this.needle.className = "needle";
    root.replaceChildren(this.video, this.strip);
    this.strip.addEventListener("click", (event) => this.jump(event));
    this.video.addEventListener("loadedmetadata", () => this.begin());
    this.follow = () => {
      if (!this.video.isConnected) return;
      this.move();
      requestAnimationFrame(this.follow);
    };
  }

  show(data) {
    const same = this.data && JSON.stringify(this.data) === JSON.stringify(data);
    if (same) return;
    const sameFile = this.data?.video_url === data.video_url;
    this.data = data;
    const span_s = data.to_s - data.from_s || 1;
    this.segment.style.left = `${(100 * (data.start_s - data.from_s)) / span_s}%`;
    this.segment.style.width = `${(100 * (data.end_s - data.start_s)) / span_s}%`;
    if (sameFile && this.video.readyState > 0) this.begin();
    else this.video.src = data.video_url;
    requestAnimationFrame(this.follow);
  }

  begin() {
    this.video.currentTime = this.data.from_s;
    // Browsers may refuse to play with sound before the first click; then its own button is there.
    this.video.play().catch(() => {});
  }

  move() {
    const { from_s, to_s } = this.data;
    const { currentTime, paused, seeking } = this.video;
    if (!paused && !seeking && (currentTime >= to_s || currentTime < from_s - 0.2)) this.video.currentTime = from_s;
    const share = Math.min(1, Math.max(0, (currentTime - from_s) / (to_s - from_s || 1)));
    this.needle.style.left = `${100 * share}%`;
  }

  jump(event) {
    const box = this.strip.getBoundingClientRect();
    const { from_s, to_s } = this.data;
    this.video.currentTime = from_s + ((event.clientX - box.left) / box.width) * (to_s - from_s);
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".snippet");
  if (!players.has(root)) players.set(root, new Snippet(root));
  players.get(root).show(component.data);
  return () => players.get(root)?.video.pause();
}
