"""Other projects' dataset formats, one a file: from what `kisa.dataset` writes, and back where that is possible."""
