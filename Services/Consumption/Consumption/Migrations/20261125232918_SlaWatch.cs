using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmMarketplace.Consumption.Migrations
{
    /// <inheritdoc />
    public partial class SlaWatch : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "sla_days",
                columns: table => new
                {
                    version_id = table.Column<Guid>(type: "uuid", nullable: false),
                    day = table.Column<DateOnly>(type: "date", nullable: false),
                    listing_id = table.Column<Guid>(type: "uuid", nullable: false),
                    calls = table.Column<long>(type: "bigint", nullable: false),
                    failures = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_sla_days", x => new { x.version_id, x.day });
                });

            migrationBuilder.CreateTable(
                name: "sla_intervals",
                columns: table => new
                {
                    version_id = table.Column<Guid>(type: "uuid", nullable: false),
                    start = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    listing_id = table.Column<Guid>(type: "uuid", nullable: false),
                    calls = table.Column<long>(type: "bigint", nullable: false),
                    failures = table.Column<long>(type: "bigint", nullable: false),
                    worst_ms = table.Column<double>(type: "double precision", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_sla_intervals", x => new { x.version_id, x.start });
                });

            migrationBuilder.CreateTable(
                name: "sla_violations",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    listing_id = table.Column<Guid>(type: "uuid", nullable: false),
                    version_id = table.Column<Guid>(type: "uuid", nullable: false),
                    provider_organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    service = table.Column<string>(type: "text", nullable: false),
                    version = table.Column<string>(type: "text", nullable: false),
                    metric = table.Column<string>(type: "text", nullable: false),
                    severity = table.Column<string>(type: "text", nullable: false),
                    promised = table.Column<decimal>(type: "numeric", nullable: false),
                    observed = table.Column<decimal>(type: "numeric", nullable: false),
                    calls = table.Column<long>(type: "bigint", nullable: false),
                    failures = table.Column<long>(type: "bigint", nullable: false),
                    started_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    ended_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    revision = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_sla_violations", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_sla_days_day",
                table: "sla_days",
                column: "day");

            migrationBuilder.CreateIndex(
                name: "ix_sla_intervals_start",
                table: "sla_intervals",
                column: "start");

            migrationBuilder.CreateIndex(
                name: "ix_sla_violations_provider_organisation_id_started_at_id",
                table: "sla_violations",
                columns: new[] { "provider_organisation_id", "started_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_sla_violations_started_at_id",
                table: "sla_violations",
                columns: new[] { "started_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_sla_violations_version_id_metric",
                table: "sla_violations",
                columns: new[] { "version_id", "metric" },
                unique: true,
                filter: "ended_at IS NULL");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "sla_days");

            migrationBuilder.DropTable(
                name: "sla_intervals");

            migrationBuilder.DropTable(
                name: "sla_violations");
        }
    }
}
