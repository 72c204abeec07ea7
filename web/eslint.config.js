import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

export default ts.config(
  { ignores: ['node_modules/', 'test-results/', 'src/api/types.ts'] },
  js.configs.recommended,
  ...ts.configs.recommendedTypeChecked,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      globals: { ...globals.browser },
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js', 'svelte.config.js'] },
        extraFileExtensions: ['.svelte'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      'max-lines': ['error', 400],
      'max-lines-per-function': ['error', { max: 70, skipComments: true, skipBlankLines: true }],
      'max-len': ['error', { code: 120, ignoreUrls: true }],
      'no-console': 'error',
      eqeqeq: 'error',
      // tsc says the same, and knows the types.
      'no-undef': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
    rules: {
      // The links are plain paths that url.ts makes; there is no SvelteKit router to resolve them.
      'svelte/no-navigation-without-resolve': 'off',
      'max-lines-per-function': 'off',
      // Outside svelte-check a component's type and the variables of a template are `any`; svelte-check knows better.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    // Drawing and reckoning stay free of the view layer, so that they can be tested alone and outlive it.
    files: ['src/**/*.ts'],
    ignores: ['src/main.ts', 'src/**/*.svelte.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['svelte', 'svelte/*', '*.svelte', '*.svelte.ts'] }] },
  },
  {
    // A describe block is a list, not a function.
    files: ['**/*.test.ts', 'e2e/**/*.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
  // Figures that a run is read for.
  { files: ['e2e/**/*.ts'], rules: { 'no-console': 'off' } },
  { files: ['**/*.js'], ...ts.configs.disableTypeChecked },
  { files: ['*.js', '*.ts', 'dev/**/*.ts', 'e2e/**/*.ts'], languageOptions: { globals: { ...globals.node } } },
);
