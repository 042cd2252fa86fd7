// Colours: of classes (Okabe and Ito 2008, which colour-blind people can tell apart, with a
// variant per theme), of the theme around the player, and colour maps for rasters.

// orange, sky blue, green, vermillion, purple, blue, yellow, grey
const LIGHT = ["#d98c00", "#3a9fdc", "#009e73", "#d55e00", "#c2649a", "#0072b2", "#b5a300", "#7a7a7a"];
const DARK = ["#f0ae1f", "#7cc8f4", "#1fbf92", "#f07a2b", "#dd93bb", "#4a97dd", "#ede15a", "#a9a9a9"];

// Anchors, evenly spaced from 0 to 1: the published viridis, magma and cividis maps.
const MAPS = {
  viridis: ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"],
  magma: ["#000004", "#1c1044", "#4f127b", "#812581", "#b5367a", "#e55064", "#fb8761", "#fec287", "#fcfdbf"],
  cividis: ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#fee838"],
};

const probe = document.createElement("canvas").getContext("2d");

/** @returns {[number, number, number]} 0 to 255 of any CSS colour without transparency */
export function rgb(colour) {
  probe.fillStyle = "#808080";
  probe.fillStyle = colour;
  const text = probe.fillStyle;
  if (text.startsWith("#")) return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  return text.match(/[\d.]+/g).slice(0, 3).map(Number);
}

const hex = (channels) => `#${channels.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;

/** `share` of the first colour over the second. */
export function blend(over, under, share) {
  const below = rgb(under);
  return hex(rgb(over).map((value, channel) => value * share + below[channel] * (1 - share)));
}

function luminance(colour) {
  const [red, green, blue] = rgb(colour).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Black or white, whichever stands out more on `background`. */
export function inkOn(background) {
  return luminance(background) > 0.19 ? "#101418" : "#ffffff";
}

/** A colour per class; after eight classes the same hues return darker, then paler. */
export function classColour(label, theme) {
  const palette = theme.dark ? DARK : LIGHT;
  const base = palette[((label % palette.length) + palette.length) % palette.length];
  const round = Math.floor(label / palette.length) % 3;
  if (round === 1) return blend(base, "#000000", 0.72);
  return round === 2 ? blend(base, "#ffffff", 0.66) : base;
}

/** @returns {Uint32Array} 256 pixels as canvas image data stores them */
export function lookupTable(name) {
  const anchors = MAPS[name].map(rgb);
  return Uint32Array.from({ length: 256 }, (_, value) => {
    const place = (value / 255) * (anchors.length - 1);
    const below = Math.min(anchors.length - 2, Math.floor(place));
    const share = place - below;
    const [red, green, blue] = anchors[below].map((from, c) => Math.round(from + (anchors[below + 1][c] - from) * share));
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
}

/** The same map as a CSS gradient, for legends. */
export function gradient(name, direction = "to right") {
  return `linear-gradient(${direction}, ${MAPS[name].join(", ")})`;
}

/**
 * Watch the colours around `element`; a custom property raises no event of its own, but a
 * transition of a colour that follows it does.
 * @returns {() => void} stops watching
 */
export function watchTheme(element, onChange) {
  const sentinel = document.createElement("span");
  sentinel.setAttribute("aria-hidden", "true");
  sentinel.style.cssText = "position:absolute;width:0;height:0;pointer-events:none;color:var(--st-text-color);" +
    "background-color:var(--st-background-color);transition:color 1ms,background-color 1ms";
  sentinel.addEventListener("transitionend", onChange);
  element.append(sentinel);
  return () => sentinel.remove();
}

/** Colours and fonts around `element`, from the variables Streamlit sets. */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const value = (name, otherwise) => {
    const found = style.getPropertyValue(name).trim();
    return found && found !== "unset" ? found : otherwise;
  };
  const background = value("--st-background-color", "#ffffff");
  const text = value("--st-text-color", "#262730");
  const dark = luminance(background) < 0.2;
  return {
    dark,
    background,
    panel: value("--st-secondary-background-color", dark ? "#262730" : "#f0f2f6"),
    text,
    muted: blend(text, background, 0.72),
    faint: blend(text, background, 0.4),
    line: blend(text, background, 0.14),
    track: blend(text, background, dark ? 0.06 : 0.035),
    primary: value("--st-primary-color", "#ff4b4b"),
    danger: dark ? "#ff7b72" : "#c62828",
    playhead: dark ? "#ff5c5c" : "#d81b2a",
    font: value("--st-font", "system-ui, sans-serif"),
  };
}
