// How high picture and tracks may be, for all of them to be in view: the picture gives way first, then the tracks.

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

/** Give picture and tracks their heights. @param {Player} player whose `root`, `stage`, `transport` and `playback` are laid out */
export function fitPicture({ root, stage, transport, playback }) {
  const wide = root.clientWidth;
  if (!wide) return;
  const aspect = playback.aspect ?? 16 / 9;
  root.style.setProperty("--aspect", aspect.toFixed(4));
  root.classList.remove("mv-low");
  if (wide < SIDE_BY_SIDE) {
    stage.squeeze(0);
    return void root.style.removeProperty("--high");
  }
  const gaps = 2 * parseFloat(getComputedStyle(root).rowGap || "0");
  stage.squeeze(0);
  const around = pixelsAbove(root) + transport.root.offsetHeight + gaps + BELOW;
  const lacking = LOWEST - (window.innerHeight - around - stage.fullHeight);
  if (lacking > 0) stage.squeeze(Math.min(1, lacking / Math.max(1, stage.spare)));
  const room = Math.min(HIGHEST, window.innerHeight - around - stage.fullHeight, (SHARE * wide) / aspect);
  const high = Math.round(Math.max(LOWEST, room));
  root.style.setProperty("--high", `${high}px`);
  root.classList.toggle("mv-low", high < ROOMY);
}
