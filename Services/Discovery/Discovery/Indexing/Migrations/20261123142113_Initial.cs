using System;
using LlmMarketplace.Storage;
using Microsoft.EntityFrameworkCore.Migrations;
using NpgsqlTypes;

#nullable disable

namespace LlmMarketplace.Discovery.Indexing.Migrations
{
    /// <inheritdoc />
    public partial class Initial : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AlterDatabase()
                .Annotation("Npgsql:PostgresExtension:pg_trgm", ",,");

            migrationBuilder.CreateTable(
                name: "listing_faces",
                columns: table => new
                {
                    version_id = table.Column<Guid>(type: "uuid", nullable: false),
                    listing_id = table.Column<Guid>(type: "uuid", nullable: false),
                    deleted = table.Column<bool>(type: "boolean", nullable: false),
                    organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    provider = table.Column<string>(type: "text", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false),
                    suspended = table.Column<bool>(type: "boolean", nullable: false),
                    audience = table.Column<string>(type: "text", nullable: false),
                    admitted = table.Column<Guid[]>(type: "uuid[]", nullable: false),
                    state = table.Column<string>(type: "text", nullable: false),
                    level = table.Column<int>(type: "integer", nullable: false),
                    cleared_from = table.Column<int>(type: "integer", nullable: true),
                    cleared_to = table.Column<int>(type: "integer", nullable: true),
                    for_owner = table.Column<bool>(type: "boolean", nullable: false),
                    document = table.Column<string>(type: "jsonb", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    changed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    name_text = table.Column<string>(type: "text", nullable: false),
                    description_text = table.Column<string>(type: "text", nullable: false),
                    tags_text = table.Column<string>(type: "text", nullable: false),
                    capabilities_text = table.Column<string>(type: "text", nullable: false),
                    embedding = table.Column<byte[]>(type: "bytea", nullable: false),
                    embedding_hash = table.Column<byte[]>(type: "bytea", nullable: false),
                    names = table.Column<string>(type: "text", nullable: true, computedColumnSql: "name_text || ' ' || tags_text", stored: true),
                    search = table.Column<NpgsqlTsVector>(type: "tsvector", nullable: true, computedColumnSql: "setweight(to_tsvector('english', name_text), 'A') || setweight(to_tsvector('english', description_text), 'B')\n|| setweight(to_tsvector('english', tags_text), 'C') || setweight(to_tsvector('english', capabilities_text), 'D')", stored: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_listing_faces", x => x.version_id);
                });

            migrationBuilder.CreateTable(
                name: "listings",
                columns: table => new
                {
                    listing_id = table.Column<Guid>(type: "uuid", nullable: false),
                    organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    provider = table.Column<string>(type: "text", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false),
                    suspended = table.Column<bool>(type: "boolean", nullable: false),
                    audience = table.Column<string>(type: "text", nullable: false),
                    admitted = table.Column<Guid[]>(type: "uuid[]", nullable: false),
                    versions = table.Column<string>(type: "jsonb", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    changed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    version = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_listings", x => x.listing_id);
                });

            migrationBuilder.CreateTable(
                name: "organisations",
                columns: table => new
                {
                    organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    slug = table.Column<string>(type: "text", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false),
                    clearance = table.Column<int>(type: "integer", nullable: false),
                    tier = table.Column<string>(type: "text", nullable: false),
                    active = table.Column<bool>(type: "boolean", nullable: false),
                    version = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_organisations", x => x.organisation_id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_listing_faces_listing_id",
                table: "listing_faces",
                column: "listing_id");

            migrationBuilder.CreateIndex(
                name: "ix_listing_faces_names",
                table: "listing_faces",
                column: "names",
                filter: "NOT deleted")
                .Annotation("Npgsql:IndexMethod", "gin")
                .Annotation("Npgsql:IndexOperators", new[] { "gin_trgm_ops" });

            migrationBuilder.CreateIndex(
                name: "ix_listing_faces_search",
                table: "listing_faces",
                column: "search",
                filter: "NOT deleted")
                .Annotation("Npgsql:IndexMethod", "gin");

            migrationBuilder.CreateIndex(
                name: "ix_listings_provider_name",
                table: "listings",
                columns: new[] { "provider", "name" },
                unique: true);

            migrationBuilder.Sql(MirroredTables.CreateTrigger("listing_faces"));
            migrationBuilder.Sql(MirroredTables.CreateTrigger("organisations"));
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "listing_faces");

            migrationBuilder.DropTable(
                name: "listings");

            migrationBuilder.DropTable(
                name: "organisations");
        }
    }
}
