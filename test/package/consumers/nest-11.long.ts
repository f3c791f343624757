import { ALL_PROGRAMS, describeConsumers } from './describe-consumers.js';

const PACKAGES = {
  '@nestjs/common': '11.2.10',
  '@nestjs/core': '11.2.10',
  '@nestjs/platform-express': '11.2.10',
  '@nestjs/terminus': '11.1.1',
  '@types/node': '20.19.25',
  'class-transformer': '0.5.1',
  'class-validator': '0.15.1',
  'reflect-metadata': '0.2.2',
  rxjs: '7.8.2',
  'sql.js': '1.16.0',
  typeorm: '0.3.31',
  typescript: '5.9.3',
};

/** The lower end of every range in `peerDependencies`. */
const OLDEST = {
  ...PACKAGES,
  '@nestjs/common': '11.0.0',
  '@nestjs/core': '11.0.0',
  '@nestjs/platform-express': '11.0.0',
  '@nestjs/terminus': '11.0.0',
  'class-validator': '0.14.0',
  'reflect-metadata': '0.2.0',
  rxjs: '7.8.0',
  ioredis: '5.11.0',
  typeorm: '0.3.20',
};

describeConsumers([
  {
    title: 'Nest 11, ioredis 6, Terminus 11, TypeORM 0.3',
    packages: { ...PACKAGES, ioredis: '6.0.0' },
    programs: ALL_PROGRAMS,
    compilers: ['nodenext'],
  },
  {
    title: 'Nest 11.0.0, ioredis 5.11.0 and the oldest of all other peers',
    packages: OLDEST,
    programs: ALL_PROGRAMS,
    compilers: ['nodenext', 'node16', 'bundler', 'node10'],
  },
]);
