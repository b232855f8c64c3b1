"""The client side of the gateway: pooled keep-alive HTTP/1.1 connections to one upstream."""
