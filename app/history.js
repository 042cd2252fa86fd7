// What follows from one click or key is one step of the browser's history. A page writes its own
// address after it opened, and more of it when more is known, at times even before the path is that of
// the page; the half of an address that lies behind it would otherwise need another press of the back
// button, or lead to the page before with the parameters of the page after.
(() => {
  let touched = false;
  const push = history.pushState.bind(history);
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { touched = true; }, true);
  addEventListener("popstate", () => { touched = false; });
  // Taken over before Streamlit's own code runs: what it wrote earlier would be a step of its own.
  history.pushState = (state, title, url) => {
    const samePage = new URL(url ?? "", location.href).pathname === location.pathname;
    if (!touched || (samePage && location.search === "")) {
      history.replaceState(state, title, url);
    } else {
      push(state, title, url);
      touched = false;
    }
  };
})();
