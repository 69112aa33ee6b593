"""SKF: semantic features enter a host through attention (Wu et al., CVPR 2023)."""
