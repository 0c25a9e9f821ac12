"""Looking into an image: whether it is fit to boot in any partition."""
