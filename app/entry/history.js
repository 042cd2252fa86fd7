// What follows from one click or key is one step of the browser's history. A page writes its own
// address after it opened, and more of it when more is known; the half of an address that lies behind
// it would otherwise need another press of the back button.
(() => {
  if (window.__addressesInOneStep) return;
  window.__addressesInOneStep = true;
  let touched = true;
  const push = history.pushState.bind(history);
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => { touched = true; }, true);
  addEventListener("popstate", () => { touched = false; });
  history.pushState = (state, title, url) => {
    const samePage = new URL(url ?? "", location.href).pathname === location.pathname;
    if (samePage && (location.search === "" || !touched)) {
      history.replaceState(state, title, url);
    } else {
      push(state, title, url);
      touched = false;
    }
  };
})();
