"""The OHIF viewer under /viewer/: the prebuilt application, its addresses and its security headers."""
