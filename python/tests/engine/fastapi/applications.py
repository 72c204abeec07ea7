class FastAPI:
    def __init__(self, app):
        self.app = app
        self.middleware_stack = None

    def build_middleware_stack(self):
        return self.app

    async def __call__(self, scope, receive, send):
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)
