// Something that the server knows, kept up to date: the last answer stays while the next one is on its way.
import { untrack } from 'svelte';
import { ApiFailure, getJson } from './client.ts';

/** Refreshing may take this share of the time at most, so that a large answer does not keep the server busy. */
const REFRESH_SHARE = 0.2;

export class Resource<T> {
  data = $state.raw<T | null>(null);
  error = $state.raw<ApiFailure | null>(null);
  /** The call that `data` answers. */
  url = $state('');
  /** The answer to another call than the last one is being waited for. */
  changing = $state(false);
  #wanted = '';
  #inFlight: AbortController | null = null;
  #ended = 0;
  #took = 0;

  /** Asks; a call that is still under way or was answered just now is not repeated. */
  load(url: string): void {
    untrack(() => {
      const same = url === this.#wanted;
      if (same && (this.#inFlight || Date.now() - this.#ended < this.#took / REFRESH_SHARE)) return;
      void this.#ask(url, same);
    });
  }

  /** Asks again at once, for a "try again" button. */
  reload(): void {
    if (this.#wanted) void this.#ask(this.#wanted, false);
  }

  async #ask(url: string, same: boolean): Promise<void> {
    this.#inFlight?.abort();
    const flight = new AbortController();
    this.#inFlight = flight;
    this.#wanted = url;
    if (!same) this.changing = true;
    const started = Date.now();
    try {
      const data = await getJson<T>(url, flight.signal);
      if (this.#inFlight !== flight) return;
      this.data = data;
      this.url = url;
      this.error = null;
    } catch (error) {
      if (this.#inFlight !== flight) return;
      this.error = error instanceof ApiFailure ? error : new ApiFailure('internal', String(error), 'Reload the page.');
    }
    this.#inFlight = null;
    this.#ended = Date.now();
    this.#took = this.#ended - started;
    this.changing = false;
  }
}
