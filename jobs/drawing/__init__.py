"""Charts, sheets, thumbnails and templates: tools for pictures and pages, which know no job."""
