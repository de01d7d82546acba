"""The detector plug-ins: one abstract class, one module a plug-in, one table that names them."""
