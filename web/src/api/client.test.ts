import { afterEach, describe, expect, it, vi } from 'vitest';
import { ApiFailure, apiUrl, curl, filterQuery, getJson, serverNow } from './client.ts';

const answer = (status: number, body: string, headers: Record<string, string> = {}) =>
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(body, { status, headers })));

const failure = async (): Promise<ApiFailure> => {
  try {
    await getJson('/api/status');
  } catch (error) {
    if (error instanceof ApiFailure) return error;
  }
  throw new Error('it did not fail');
};

afterEach(() => void vi.unstubAllGlobals());

describe('asking the server', () => {
  it('writes queries that people can read', () => {
    expect(
      apiUrl('/api/series', [['series', 'ttft:p50,ttft:p95'], ['model', 'a b&c'], ...filterQuery({ a: ['1', '2'] })]),
    ).toBe('/api/series?series=ttft:p50,ttft:p95&model=a%20b%26c&a=1&a=2');
  });

  it('gives the command that asks the same, safe in a shell', () => {
    expect(curl("/api/requests?q=it's", 'http://h:1')).toBe("curl -s 'http://h:1/api/requests?q=it%27s'");
  });

  it('says what the server says is wrong, and what to do', async () => {
    answer(400, JSON.stringify({ error: { code: 'bad_request', message: 'm', hint: 'h', field: 'min_ttft' } }));
    expect(await failure()).toMatchObject({ code: 'bad_request', message: 'm', hint: 'h', field: 'min_ttft' });
  });

  it.each([
    [502, '<html>Bad gateway</html>'],
    [500, '{"oops": true}'],
    [200, 'not json'],
  ])('knows an answer that is not the server’s (%d %s)', async (status, body) => {
    answer(status, body);
    expect((await failure()).code).toBe('bad_answer');
  });

  it('says that there is no server when there is none', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('failed to fetch')));
    expect(await failure()).toMatchObject({ code: 'unreachable' });
  });

  it('goes by the server’s clock where the two differ, and by its own where they do not', async () => {
    answer(200, '{}', { date: new Date(Date.now() + 90_000).toUTCString() });
    await getJson('/api/status');
    expect(serverNow() - Date.now()).toBeGreaterThan(60_000);
    answer(200, '{}', { date: new Date().toUTCString() });
    await getJson('/api/status');
    expect(Math.abs(serverNow() - Date.now())).toBeLessThan(1000);
  });
});
