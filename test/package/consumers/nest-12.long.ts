import { describeConsumers } from './describe-consumers.js';

const PACKAGES = {
  '@nestjs/common': '12.5.1',
  '@nestjs/core': '12.5.1',
  '@nestjs/platform-express': '12.5.1',
  '@types/node': '20.19.25',
  'class-transformer': '0.5.1',
  'class-validator': '0.15.1',
  'reflect-metadata': '0.2.2',
  rxjs: '7.8.2',
  typescript: '6.0.3',
};

describeConsumers([
  {
    title: 'Nest 12, ioredis 6',
    packages: { ...PACKAGES, ioredis: '6.0.0' },
    compilers: ['nodenext', 'node16', 'bundler'],
  },
  {
    title: 'Nest 12, ioredis 5.11',
    packages: { ...PACKAGES, ioredis: '5.11.1' },
    compilers: ['nodenext'],
  },
]);
