"""From the bytes of a page, a PDF or an XML record to a document; none of them is trusted."""
