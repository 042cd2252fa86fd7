// Small helpers to build elements. Text only ever becomes text nodes, never markup.

/**
 * @param {string} tag element name
 * @param {Object} attributes `class`, `title`, `aria-…`, `data-…`; `on…` functions become listeners
 * @param {...(Node|string|null)} children strings become text nodes
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Icons on a 16 x 16 grid, filled with the text colour.
const ICONS = {
  play: "M4 2.5v11l9.5-5.5z",
  pause: "M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z",
  previous: "M3 3h1.8v10H3zM13 3v10L5.6 8z",
  next: "M11.2 3H13v10h-1.8zM3 3v10l7.4-5z",
  loop: "M4 4.2h6.6V2.3L14 5.1l-3.4 2.8V6H5.8v2.2H4zM12 11.8H5.4v1.9L2 10.9l3.4-2.8V10h4.8V7.8H12z",
  loopAround: "M1 3h1.5v10H1zM13.5 3H15v10h-1.500zM5.200 5h4V3.500L12 5.700 9.200 8V6.500H6.600v1.200H5.200zM10.800 11h-4v1.500L4 10.300 6.800 8v1.500h2.600V8.300h1.400z",
  differs: "M2 5h7v2H2zM7 9.500h7v2H7z",
  sound: "M2 6v4h2.6L8 13V3L4.6 6zM9.6 5.1a3.6 3.6 0 0 1 0 5.8l-.7-1a2.4 2.4 0 0 0 0-3.8zM11.3 2.9a6.3 6.3 0 0 1 0 10.2l-.8-1a5 5 0 0 0 0-8.2z",
  muted: "M2 6v4h2.6L8 13V3L4.6 6zM9.8 6.2l1-1L12.2 6.700l1.5-1.5 1 1L13.200 7.700l1.500 1.500-1 1-1.500-1.500-1.400 1.500-1-1 1.400-1.500z",
  zoomIn: "M6.800 2a4.800 4.800 0 1 0 2.900 8.600l3.100 3.100 1-1-3.100-3.100A4.800 4.800 0 0 0 6.800 2zm0 1.400a3.400 3.400 0 1 1 0 6.800 3.400 3.400 0 0 1 0-6.800zM6.100 4.900v1.200H4.900v1.400h1.200v1.200h1.400V7.500h1.200V6.100H7.500V4.900z",
  zoomOut: "M6.800 2a4.800 4.800 0 1 0 2.900 8.600l3.100 3.100 1-1-3.100-3.100A4.800 4.800 0 0 0 6.800 2zm0 1.400a3.400 3.400 0 1 1 0 6.800 3.400 3.400 0 0 1 0-6.800zM4.900 6.100v1.400h3.800V6.100z",
  fit: "M1.500 3H3v10H1.500zM13 3h1.500v10H13zM3.800 8l2.700-2.600v1.900h3V5.400L12.200 8 9.500 10.600V8.700h-3v1.900z",
  down: "M3.500 5.800 8 10.300l4.500-4.500-1-1L8 8.300 4.500 4.800z",
  right: "M5.800 3.500 10.300 8l-4.500 4.500-1-1L8.300 8 4.800 4.500z",
  up: "M3.500 10.200 8 5.700l4.500 4.500-1 1L8 7.700l-3.500 3.500z",
  error: "M8 1.600 15 14H1zM7.300 6v4h1.400V6zm0 5v1.400h1.400V11z",
};
const SVG = "http://www.w3.org/2000/svg";

export function icon(name, size = 16) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", width: size, height: size, "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  path.setAttribute("fill", "currentColor");
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

/** A button that a mouse click does not focus, so that the space bar keeps meaning "play". */
export function button(name, label, onclick, ...children) {
  return el(
    "button",
    { type: "button", class: "mv-button", title: label, "aria-label": label, "data-testid": name, onclick,
      onmousedown: (event) => event.preventDefault() },
    ...children,
  );
}

/** Draw `text` cut with an ellipsis to at most `width` pixels; nothing where not even a few letters fit. */
export function fittingText(context, text, width) {
  if (width < 14) return "";
  if (context.measureText(text).width <= width) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low >= 2 ? `${text.slice(0, low)}…` : "";
}
