"""Tell the browser with the document where the server is, which Streamlit's page otherwise asks about first.

On `/compare` it asks for the server's health and settings under `/compare/` and, after these fail,
under `/`, before it connects. What it reads instead is described in Streamlit's own page as
`window.__streamlit`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

# A path that ends in none of our pages is left to Streamlit's own search.
_SCRIPT = """
(() => {
  const found = /^(.*\\/)([^/]*)\\/?$/.exec(location.pathname);
  if (!found || !%s.includes(found[2])) return;
  window.__streamlit = {
    BACKEND_BASE_URL: location.origin + found[1],
    HOST_CONFIG: {
      allowedOrigins: [location.origin],
      useExternalAuthToken: false,
      enableCustomParentMessages: false,
      enforceDownloadInNewTab: false,
      blockErrorDialogs: false,
    },
  };
})();
"""


def connecting_script(pages: Iterable[str]) -> str:
    """JavaScript that says where the server is. Args: pages: path of each page, empty for the first."""
    return _SCRIPT % json.dumps(sorted(pages))
