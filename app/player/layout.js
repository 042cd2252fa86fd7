// How high the picture may be: what the window leaves when all tracks are to be in view below it.

const LOWEST = 200;
const HIGHEST = 560;
const SIDE_BY_SIDE = 600; // pixels of width; narrower, picture and panel stand under one another
const SHARE = 0.6; // of the width that the picture may take beside the panel
const ROOMY = 270; // lower, the panel has no room for a list beside a selected segment
const BELOW = 10; // pixels under the last track

/** Pixels from the top of the scrolled page down to `node`. */
function pixelsAbove(node) {
  let above = node.getBoundingClientRect().top;
  for (let at = node.parentNode ?? node.host; at; at = at.parentNode ?? at.host) above += at.scrollTop ?? 0;
  return above;
}

/** @param {Player} player whose `root`, `stage`, `transport` and `playback` are laid out */
export function fitPicture({ root, stage, transport, playback }) {
  const wide = root.clientWidth;
  if (!wide) return;
  const aspect = playback.aspect ?? 16 / 9;
  root.style.setProperty("--aspect", aspect.toFixed(4));
  root.classList.remove("mv-low");
  if (wide < SIDE_BY_SIDE) return void root.style.removeProperty("--high");
  const gaps = 2 * parseFloat(getComputedStyle(root).rowGap || "0");
  const taken = pixelsAbove(root) + transport.root.offsetHeight + stage.fullHeight + gaps + BELOW;
  const room = Math.min(HIGHEST, window.innerHeight - taken, (SHARE * wide) / aspect);
  const high = Math.round(Math.max(LOWEST, room));
  root.style.setProperty("--high", `${high}px`);
  root.classList.toggle("mv-low", high < ROOMY);
}
