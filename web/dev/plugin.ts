// Vite, answering /api from made-up traffic: for work on the screens, and their tests, without an engine.
import type { Connect, Plugin } from 'vite';
import { answer } from './answer.ts';
import { Traffic } from './traffic.ts';

export function mockApi(): Plugin {
  const traffic = new Traffic(Date.now());
  const handle: Connect.NextHandleFunction = (request, response, next) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (!url.pathname.startsWith('/api/')) {
      next();
      return;
    }
    const { status, body } = answer(traffic, url, Date.now());
    response.statusCode = status;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  };
  return {
    name: 'mock-api',
    configureServer: (server) => void server.middlewares.use(handle),
    configurePreviewServer: (server) => void server.middlewares.use(handle),
  };
}
