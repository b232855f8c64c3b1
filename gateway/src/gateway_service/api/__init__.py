"""The routes the gateway answers itself."""
