import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
  type StreamableFile,
} from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiConsumes, ApiHeader, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { Caller, Roles } from '#access';
import type { Page, UserPrincipal } from '#contracts';
import { discardRest, streamedBody, Takes } from '#platform';
import { PackagePage, PackageQuery, PackageView, UploadQuery } from './firmware.schemas.ts';
import { answerFile } from './package-file.ts';
import { PackageUploads } from './package-uploads.ts';
import { Packages, packageView } from './packages.service.ts';

const PackageId = z.uuid();
const CUT_OFF = 'The upload ended early, and nothing of it was kept: send the file again from its beginning.';

/** Packages of firmware and software. */
@ApiTags('Firmware')
@ApiBearerAuth()
@Roles('admin', 'operator')
@ApiResponse({ status: 401, description: 'UNAUTHENTICATED, TOKEN_EXPIRED or TOKEN_REVOKED' })
@ApiResponse({ status: 403, description: 'FORBIDDEN' })
@ApiResponse({ status: 422, description: 'INVALID_INPUT' })
@ApiResponse({ status: 503, description: 'UNAVAILABLE' })
@Controller('api/firmware')
export class PackagesController {
  constructor(
    @Inject(Packages) private readonly packages: Packages,
    @Inject(PackageUploads) private readonly uploads: PackageUploads,
  ) {}

  @Post()
  @Takes('application/octet-stream')
  @ApiConsumes('application/octet-stream')
  @ApiBody({ description: 'The file as it is', schema: { type: 'string', format: 'binary' } })
  @ApiResponse({
    status: 200,
    description: 'The same file was here before under this name',
    standardSchema: PackageView,
  })
  @ApiResponse({ status: 201, description: 'The package is here', standardSchema: PackageView })
  @ApiResponse({ status: 400, description: 'UPLOAD_CUT_OFF' })
  @ApiResponse({ status: 409, description: 'FIRMWARE_EXISTS' })
  @ApiResponse({ status: 413, description: 'BODY_TOO_LARGE' })
  @ApiResponse({ status: 415, description: 'UNSUPPORTED_MEDIA_TYPE' })
  @ApiResponse({ status: 422, description: 'INVALID_INPUT or CHECKSUM_MISMATCH: nothing of it was kept' })
  async upload(
    @Caller() caller: UserPrincipal,
    @Query({ schema: UploadQuery }) query: UploadQuery,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<PackageView> {
    try {
      this.uploads.checkLength(request.headers['content-length']);
      const uploaded = await this.uploads.receive(caller, query, streamedBody(request, CUT_OFF));
      response.status(uploaded.isNew ? 201 : 200).location(`/api/firmware/${uploaded.package.id}`);
      return packageView(uploaded.package);
    } catch (error) {
      await discardRest(request);
      throw error;
    }
  }

  @Get()
  @ApiResponse({ status: 200, description: 'Those that the caller may use, newest first', standardSchema: PackagePage })
  list(
    @Caller() caller: UserPrincipal,
    @Query({ schema: PackageQuery }) query: PackageQuery,
  ): Promise<Page<PackageView>> {
    return this.packages.list(caller, query);
  }

  @Get(':id')
  @ApiResponse({ status: 200, description: 'The package', standardSchema: PackageView })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  get(@Caller() caller: UserPrincipal, @Param('id', { schema: PackageId }) id: string): Promise<PackageView> {
    return this.packages.get(caller, id);
  }

  @Get(':id/file')
  @ApiProduces('application/octet-stream')
  @ApiHeader({ name: 'Range', required: false, description: 'A part of the file, such as bytes=1000-' })
  @ApiResponse({
    status: 200,
    description: 'The file; ETag is its SHA-256',
    schema: { type: 'string', format: 'binary' },
  })
  @ApiResponse({ status: 206, description: 'The part of it', schema: { type: 'string', format: 'binary' } })
  @ApiResponse({ status: 304, description: 'If-None-Match names the file' })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  @ApiResponse({ status: 416, description: 'RANGE_NOT_SATISFIABLE' })
  async file(
    @Caller() caller: UserPrincipal,
    @Param('id', { schema: PackageId }) id: string,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StreamableFile | undefined> {
    return answerFile(request, response, await this.packages.file(caller, id));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiResponse({ status: 204, description: 'Gone' })
  @ApiResponse({ status: 404, description: 'NOT_FOUND' })
  @ApiResponse({ status: 409, description: 'FIRMWARE_IN_USE' })
  remove(@Caller() caller: UserPrincipal, @Param('id', { schema: PackageId }) id: string): Promise<void> {
    return this.packages.remove(caller, id);
  }
}
