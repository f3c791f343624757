import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { ValidationPipe, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { Settings } from './settings.js';

try {
  const { instances, port, redisUrl } = new Settings();
  const apps: INestApplication[] = [];
  for (let i = 0; i < instances; i++) apps.push(await start(port && port + i));
  // Closing is enough to end: nothing of the applications, their caches or the database keeps the process alive.
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => void Promise.all(apps.map((app) => app.close())));

  const cache = redisUrl ? `single, Redis at ${placeOf(redisUrl)}` : 'memory';
  for (const app of apps) {
    const address = app.getHttpServer().address() as AddressInfo;
    console.log(`City search: http://localhost:${address.port} (cache topology: ${cache})`);
  }
} catch (error) {
  console.error(`\n${explain(error as NodeJS.ErrnoException)}`);
  process.exit(1);
}

async function start(port: number): Promise<INestApplication> {
  await findFree(port);
  const app = await NestFactory.create<NestExpressApplication>(AppModule, {
    logger: ['warn', 'error'],
    abortOnError: false,
    // What makes the start fail is said once, by explain().
    bufferLogs: true,
    autoFlushLogs: false,
  });
  app.flushLogs();
  app.useGlobalPipes(
    new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }),
  );
  await app.listen(port);
  return app;
}

/** Host and port, or the socket's path; never the password. */
function placeOf(redisUrl: string): string {
  if (!URL.canParse(redisUrl)) return redisUrl;
  const { host, pathname } = new URL(redisUrl);
  return host || pathname;
}

/** A port in use is said at once, not when the cities are loaded. */
async function findFree(port: number): Promise<void> {
  const probe = createServer().listen(port);
  await once(probe, 'listening');
  probe.close();
  await once(probe, 'close');
}

function explain(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') {
    const { port } = error as unknown as AddressInfo;
    return `Port ${port} is in use. Stop what listens there, or choose another: PORT=${port + 1} npm start`;
  }
  if (error.code === 'EACCES')
    return `${error.message}. Choose a port above 1023: PORT=3000 npm start`;
  return error.message;
}
