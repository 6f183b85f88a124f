using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmMarketplace.Consumption.Migrations
{
    /// <inheritdoc />
    public partial class CallLogs : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "call_logging_settings",
                columns: table => new
                {
                    organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    days_kept = table.Column<int>(type: "integer", nullable: true),
                    share = table.Column<double>(type: "double precision", nullable: false),
                    services = table.Column<string[]>(type: "text[]", nullable: false),
                    patterns = table.Column<string[]>(type: "text[]", nullable: false),
                    changed_by = table.Column<string>(type: "text", nullable: false),
                    changed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    erased_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_call_logging_settings", x => x.organisation_id);
                });

            migrationBuilder.CreateTable(
                name: "call_logs",
                columns: table => new
                {
                    organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    call_id = table.Column<Guid>(type: "uuid", nullable: false),
                    key_id = table.Column<Guid>(type: "uuid", nullable: false),
                    service = table.Column<string>(type: "text", nullable: false),
                    operation = table.Column<string>(type: "text", nullable: false),
                    outcome = table.Column<string>(type: "text", nullable: false),
                    status_code = table.Column<int>(type: "integer", nullable: false),
                    end_user = table.Column<string>(type: "text", nullable: true),
                    sealed_by = table.Column<string>(type: "text", nullable: false),
                    @sealed = table.Column<byte[]>(name: "sealed", type: "bytea", nullable: false),
                    bytes = table.Column<int>(type: "integer", nullable: false),
                    admitted_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    expires_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_call_logs", x => new { x.organisation_id, x.call_id });
                });

            migrationBuilder.CreateIndex(
                name: "ix_call_logs_expires_at",
                table: "call_logs",
                column: "expires_at");

            migrationBuilder.CreateIndex(
                name: "ix_call_logs_organisation_id_admitted_at_call_id",
                table: "call_logs",
                columns: new[] { "organisation_id", "admitted_at", "call_id" });

            migrationBuilder.Sql(LlmMarketplace.Storage.MirroredTables.CreateTrigger("call_logging_settings"));
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "call_logging_settings");

            migrationBuilder.DropTable(
                name: "call_logs");
        }
    }
}
