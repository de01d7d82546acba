// What browsers have had since 2023 and Debian's TypeScript does not know yet.
interface CanvasRenderingContext2D {
  roundRect(x: number, y: number, width: number, height: number, radius: number): void;
}
