// A canvas at the screen's true resolution, and colours taken from the page's style.

export type Surface = { context: CanvasRenderingContext2D; width: number; height: number };

/** Sizes the canvas to `width` × `height` CSS pixels, clears it, and scales its context to CSS pixels. */
export function surface(canvas: HTMLCanvasElement, width: number, height: number): Surface | null {
  const context = canvas.getContext('2d');
  if (!context || width <= 0 || height <= 0) return null;
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** The colour that a CSS variable (`--name`) has now. */
export function ink(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || '#888';
}

/** Black or white, whichever can be read on a colour (`#rrggbb`). */
export function inkOn(color: string): string {
  const channels = /^#(..)(..)(..)$/.exec(color)?.slice(1) ?? [];
  const [red = 0, green = 0, blue = 0] = channels.map((hex) => (Number.parseInt(hex, 16) / 255) ** 2.2);
  // Relative luminance; at 0.18 both have the same contrast.
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 ? '#000000' : '#ffffff';
}

/** The page's font at a size, for text in a canvas. */
export function font(size: number): string {
  return `${size}px ${getComputedStyle(document.body).fontFamily}`;
}

/** Diagonal lines over an area: "not complete yet". */
export function hatch(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  w: number,
  h: number,
  gap: number,
): void {
  if (w <= 0 || h <= 0) return;
  context.save();
  context.beginPath();
  context.rect(x, y, w, h);
  context.clip();
  context.beginPath();
  for (let at = x - h; at < x + w; at += gap) {
    context.moveTo(at, y + h);
    context.lineTo(at + h, y);
  }
  context.stroke();
  context.restore();
}
