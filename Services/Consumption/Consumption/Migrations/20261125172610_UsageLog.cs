using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace LlmMarketplace.Consumption.Migrations
{
    /// <inheritdoc />
    public partial class UsageLog : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "lock_id",
                table: "instances");

            migrationBuilder.AddColumn<string>(
                name: "provider_usage",
                table: "usage_records",
                type: "jsonb",
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "revision",
                table: "usage_records",
                type: "integer",
                nullable: false,
                defaultValue: 1);

            migrationBuilder.AddColumn<long>(
                name: "reported_generation",
                table: "instance_organisations",
                type: "bigint",
                nullable: false,
                defaultValue: 0L);

            migrationBuilder.AddColumn<bool>(
                name: "ready",
                table: "counters",
                type: "boolean",
                nullable: false,
                defaultValue: true);

            migrationBuilder.AddColumn<string>(
                name: "currency",
                table: "admissions",
                type: "text",
                nullable: false,
                defaultValue: "");

            migrationBuilder.Sql("UPDATE admissions SET currency = price ->> 'currency'");

            migrationBuilder.DropColumn(
                name: "price",
                table: "admissions");

            migrationBuilder.AddColumn<bool>(
                name: "settled",
                table: "admissions",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.CreateTable(
                name: "instance_logs",
                columns: table => new
                {
                    instance_id = table.Column<Guid>(type: "uuid", nullable: false),
                    log_id = table.Column<Guid>(type: "uuid", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_instance_logs", x => new { x.instance_id, x.log_id });
                });

            migrationBuilder.CreateTable(
                name: "usage_corrections",
                columns: table => new
                {
                    request_id = table.Column<Guid>(type: "uuid", nullable: false),
                    revision = table.Column<int>(type: "integer", nullable: false),
                    corrected_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    before = table.Column<string>(type: "jsonb", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_usage_corrections", x => new { x.request_id, x.revision });
                });

            migrationBuilder.CreateTable(
                name: "usage_log_positions",
                columns: table => new
                {
                    log_id = table.Column<Guid>(type: "uuid", nullable: false),
                    sequence = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_usage_log_positions", x => x.log_id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_instance_organisations_organisation_id",
                table: "instance_organisations",
                column: "organisation_id");

            migrationBuilder.CreateIndex(
                name: "ix_counters_generation",
                table: "counters",
                column: "generation");

            migrationBuilder.CreateIndex(
                name: "ix_instance_logs_log_id",
                table: "instance_logs",
                column: "log_id");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "instance_logs");

            migrationBuilder.DropTable(
                name: "usage_corrections");

            migrationBuilder.DropTable(
                name: "usage_log_positions");

            migrationBuilder.DropIndex(
                name: "ix_instance_organisations_organisation_id",
                table: "instance_organisations");

            migrationBuilder.DropIndex(
                name: "ix_counters_generation",
                table: "counters");

            migrationBuilder.DropColumn(
                name: "provider_usage",
                table: "usage_records");

            migrationBuilder.DropColumn(
                name: "revision",
                table: "usage_records");

            migrationBuilder.DropColumn(
                name: "reported_generation",
                table: "instance_organisations");

            migrationBuilder.DropColumn(
                name: "ready",
                table: "counters");

            migrationBuilder.DropColumn(
                name: "currency",
                table: "admissions");

            migrationBuilder.DropColumn(
                name: "settled",
                table: "admissions");

            migrationBuilder.AddColumn<long>(
                name: "lock_id",
                table: "instances",
                type: "bigint",
                nullable: false,
                defaultValue: 0L)
                .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityAlwaysColumn);

            migrationBuilder.AddColumn<string>(
                name: "price",
                table: "admissions",
                type: "jsonb",
                nullable: false,
                defaultValue: "");
        }
    }
}
