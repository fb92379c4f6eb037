"""Container images: which there are, when one has to be built anew, and building, pushing and listing them."""
