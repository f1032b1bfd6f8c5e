"""Tests of what applications see, through Beaker and across processes."""
