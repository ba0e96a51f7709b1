"""FHIRcast hub (STU3): other applications on a reader's desk follow the study that the reader has open, and lead."""
