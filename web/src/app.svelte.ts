// What all screens share: the URL as state, the beat of the live refresh, the theme, the keyboard's actions.
import { untrack } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import type { Action } from './keys.ts';
import { isRelative } from './range.ts';
import { DEFAULT_STATE, formatUrl, parseUrl, type Place, type UrlState } from './url.ts';

export type Theme = 'light' | 'dark';

const THEME_KEY = 'tachograph.theme';

class App {
  url = $state.raw<UrlState>(parseUrl(new URL(window.location.href)));
  /** Goes up with each refresh; what shows live data reads it. */
  beat = $state(0);
  theme = $state<Theme>(readTheme());
  helpOpen = $state(false);
  timeOpen = $state(false);
  /** A short line at the bottom, for what has no other sign that it happened. */
  notice = $state('');
  /** While something is dragged nothing may move under it. */
  held = $state(false);
  readonly actions = new SvelteMap<Action, () => void>();
  #lastRefresh: UrlState['refresh'] = DEFAULT_STATE.refresh;
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;
  /** Whether "back" stays inside these screens. */
  #steps = 0;

  get live(): boolean {
    return this.url.refresh > 0 && isRelative(this.url.range);
  }

  /** Changes the state and the URL with it; `replace` for what is no step that "back" should undo. */
  change(patch: Partial<UrlState>, how: 'push' | 'replace' = 'push'): void {
    const next = { ...this.url, ...patch };
    const href = formatUrl(next);
    if (href === formatUrl(this.url)) return;
    this.url = next;
    if (how === 'push') {
      this.#steps += 1;
      window.history.pushState(null, '', href);
    } else {
      window.history.replaceState(null, '', href);
    }
  }

  /** Goes to the address of a link within these screens. */
  follow(href: string): void {
    const url = new URL(href, window.location.href);
    this.#steps += 1;
    window.history.pushState(null, '', url);
    this.url = parseUrl(url);
    window.scrollTo(0, 0);
  }

  /** The address of another screen: range, refresh and filters go along, what belongs to this screen does not. */
  hrefOf(place: Place, patch: Partial<UrlState> = {}): string {
    const { range, refresh, filters, q } = this.url;
    return formatUrl({ ...DEFAULT_STATE, range, refresh, filters, q, ...patch, place });
  }

  /** One step back, or to `fallback` where a step back would leave these screens. */
  back(fallback: string | null): void {
    if (this.#steps > 0) window.history.back();
    else if (fallback !== null) this.follow(fallback);
  }

  restoreFromLocation(): void {
    this.#steps = Math.max(0, this.#steps - 1);
    this.url = parseUrl(new URL(window.location.href));
  }

  togglePause(): void {
    if (this.url.refresh > 0) this.#lastRefresh = this.url.refresh;
    this.change({ refresh: this.url.refresh > 0 ? 0 : this.#lastRefresh }, 'replace');
    this.say(this.url.refresh > 0 ? 'Refreshing again' : 'Paused');
  }

  toggleTheme(): void {
    this.theme = this.theme === 'dark' ? 'light' : 'dark';
    try {
      window.localStorage.setItem(THEME_KEY, this.theme);
    } catch {
      // Storage may be forbidden; the choice then lasts until the page is closed.
    }
  }

  say(text: string): void {
    this.notice = text;
    clearTimeout(this.#noticeTimer);
    this.#noticeTimer = setTimeout(() => (this.notice = ''), 2500);
  }

  async copy(text: string, what: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.say(`Copied ${what}`);
    } catch {
      this.say(`The browser does not let this page copy; ${what} is not on the clipboard`);
    }
  }
}

function readTheme(): Theme {
  let kept: string | null = null;
  try {
    kept = window.localStorage.getItem(THEME_KEY);
  } catch {
    // Storage may be forbidden; the system's wish decides.
  }
  if (kept === 'light' || kept === 'dark') return kept;
  return window.matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

export const app = new App();

/** Says what the screen does about keys, until the effect that calls it runs again or its screen goes. */
export function takeActions(actions: Partial<Record<Action, () => void>>): () => void {
  const entries = Object.entries(actions) as [Action, () => void][];
  return untrack(() => {
    for (const [action, run] of entries) app.actions.set(action, run);
    return () => {
      for (const [action, run] of entries) if (app.actions.get(action) === run) app.actions.delete(action);
    };
  });
}
