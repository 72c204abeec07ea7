import 'uplot/dist/uPlot.min.css';
import './app.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { app } from './app.svelte.ts';

document.documentElement.dataset['theme'] = app.theme;
const target = document.getElementById('app');
if (target) mount(App, { target });
