"""Content-Security-Policy of the viewer's page, files and workers.

A worker loaded from an address is bound by the policy its own response carries, not by the page's. So the
page does without ``'unsafe-eval'``, and only the worker that runs the image codecs has it: these build
functions from text when they are loaded (embind).
"""

from __future__ import annotations


def page(nonce: str) -> str:
    """Policy of the page itself; its inline scripts carry ``nonce``.

    ``'wasm-unsafe-eval'`` compiles the codecs and the renderer; ``blob:`` is for workers made from text by
    the libraries, and for images made in the browser; inline styles are OHIF's way to place its viewports.
    """
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'",
            "worker-src 'self' blob:",
            "img-src 'self' data: blob:",
            "connect-src 'self' data: blob:",
            "style-src 'self' 'unsafe-inline'",
            "font-src 'self' data:",
            "media-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
        )
    )


FILE = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; object-src 'none'"
DECODE_WORKER = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'; object-src 'none'"
NOTE = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
