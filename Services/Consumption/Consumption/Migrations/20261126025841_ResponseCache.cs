using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmMarketplace.Consumption.Migrations
{
    /// <inheritdoc />
    public partial class ResponseCache : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<bool>(
                name: "from_cache",
                table: "usage_records",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.CreateTable(
                name: "cached_answers",
                columns: table => new
                {
                    organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    cache_key = table.Column<string>(type: "text", nullable: false),
                    call_id = table.Column<Guid>(type: "uuid", nullable: false),
                    key_id = table.Column<string>(type: "text", nullable: false),
                    answer = table.Column<byte[]>(type: "bytea", nullable: false),
                    bytes = table.Column<int>(type: "integer", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    expires_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_cached_answers", x => new { x.organisation_id, x.cache_key });
                });

            migrationBuilder.CreateTable(
                name: "response_cache_settings",
                columns: table => new
                {
                    organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    time_to_live_seconds = table.Column<int>(type: "integer", nullable: true),
                    services = table.Column<string[]>(type: "text[]", nullable: false),
                    changed_by = table.Column<string>(type: "text", nullable: false),
                    changed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    erased_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_response_cache_settings", x => x.organisation_id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_cached_answers_expires_at",
                table: "cached_answers",
                column: "expires_at");

            migrationBuilder.CreateIndex(
                name: "ix_cached_answers_organisation_id_created_at",
                table: "cached_answers",
                columns: new[] { "organisation_id", "created_at" });

            migrationBuilder.Sql(LlmMarketplace.Storage.MirroredTables.CreateTrigger("response_cache_settings"));
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "cached_answers");

            migrationBuilder.DropTable(
                name: "response_cache_settings");

            migrationBuilder.DropColumn(
                name: "from_cache",
                table: "usage_records");
        }
    }
}
