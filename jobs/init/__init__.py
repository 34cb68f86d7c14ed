"""A first job file from a folder of images, with a picture of what it makes."""
