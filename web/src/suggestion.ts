// What the filter box offers while one types: values that exist, and how to write a filter.
import type { Facets } from './api/types.ts';
import { filterLabel, isFilterName, VALUE_FILTERS } from './filter.ts';

export type Suggestion = { name: string; value: string; label: string; count: number | null };

/** Suggestions shown at once. */
const SHOWN_MAX = 8;

/** Values that contain the word (or, after `name:`, values of that filter), most frequent first. */
export function suggestions(word: string, facets: Facets | null): Suggestion[] {
  const pair = /^([a-z_]+):(.*)$/.exec(word);
  const only = pair?.[1] === 'finish' ? 'finish_reason' : pair?.[1];
  if (only !== undefined && !isFilterName(only)) return [];
  const wanted = (pair ? (pair[2] ?? '') : word).toLowerCase();
  if (!pair && wanted === '') return [];
  const found = VALUE_FILTERS.filter((name) => only === undefined || name === only).flatMap((name) =>
    (facets?.facets[name] ?? [])
      .filter(({ value }) => value.toLowerCase().includes(wanted))
      .map(({ value, count }) => ({ name, value, label: filterLabel(name), count })),
  );
  return found.sort((a, b) => b.count - a.count).slice(0, SHOWN_MAX);
}

/** The word that is being typed: the last one. */
export function lastWord(text: string): string {
  return /\S*$/.exec(text)?.[0] ?? '';
}
