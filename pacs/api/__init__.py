"""The archive's part of the API: uploads, studies, quarantine, nodes."""
