"""One pure module per wire format: a request to its body, bytes of an answer to tokens. No I/O."""
