import { describeConsumers } from './describe-consumers.js';

const PACKAGES = {
  '@nestjs/common': '11.2.10',
  '@nestjs/core': '11.2.10',
  '@nestjs/platform-express': '11.2.10',
  '@types/node': '20.19.25',
  'class-transformer': '0.5.1',
  'class-validator': '0.15.1',
  'reflect-metadata': '0.2.2',
  rxjs: '7.8.2',
  typescript: '5.9.3',
};

/** The lower end of every range in `peerDependencies`. */
const OLDEST = {
  ...PACKAGES,
  '@nestjs/common': '11.0.0',
  '@nestjs/core': '11.0.0',
  '@nestjs/platform-express': '11.0.0',
  'class-validator': '0.14.0',
  'reflect-metadata': '0.2.0',
  rxjs: '7.8.0',
  ioredis: '5.11.0',
};

describeConsumers([
  {
    title: 'Nest 11, ioredis 6',
    packages: { ...PACKAGES, ioredis: '6.0.0' },
    compilers: ['nodenext'],
  },
  {
    title: 'Nest 11.0.0, ioredis 5.11.0 and the oldest of all other peers',
    packages: OLDEST,
    compilers: ['nodenext', 'node16', 'bundler', 'node10'],
  },
]);
