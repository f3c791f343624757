import { readFileSync } from 'node:fs';
import { Controller, Get, Header } from '@nestjs/common';

const PAGE = readFileSync(new URL('../../public/index.html', import.meta.url), 'utf8');

/** The page in the browser: one file, which loads nothing else. */
@Controller()
export class PageController {
  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  @Header(
    'Content-Security-Policy',
    "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:",
  )
  page(): string {
    return PAGE;
  }
}
