using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmMarketplace.Consumption.Migrations
{
    /// <inheritdoc />
    public partial class Attribution : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "end_user",
                table: "usage_records",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "service_version",
                table: "usage_records",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "tags",
                table: "usage_records",
                type: "jsonb",
                nullable: false,
                defaultValueSql: "'{}'");

            migrationBuilder.AddColumn<decimal>(
                name: "end_user_budget_amount",
                table: "keys",
                type: "numeric",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "end_user_budget_currency",
                table: "keys",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "end_user_budget_period",
                table: "keys",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<bool>(
                name: "tracks_end_users",
                table: "counters",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<string>(
                name: "end_user",
                table: "admissions",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "service_version",
                table: "admissions",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "tags",
                table: "admissions",
                type: "jsonb",
                nullable: false,
                defaultValueSql: "'{}'");

            migrationBuilder.CreateTable(
                name: "aliases",
                columns: table => new
                {
                    organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    target = table.Column<string>(type: "text", nullable: true),
                    changed_by = table.Column<string>(type: "text", nullable: false),
                    changed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_aliases", x => new { x.organisation_id, x.name });
                });

            migrationBuilder.CreateTable(
                name: "budget_alerts",
                columns: table => new
                {
                    organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    scope = table.Column<string>(type: "text", nullable: false),
                    subject = table.Column<string>(type: "text", nullable: false),
                    set_by = table.Column<string>(type: "text", nullable: false),
                    period_start = table.Column<int>(type: "integer", nullable: false),
                    amount = table.Column<decimal>(type: "numeric", nullable: false),
                    threshold = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_budget_alerts", x => new { x.organisation_id, x.scope, x.subject, x.set_by, x.period_start });
                });

            migrationBuilder.CreateTable(
                name: "budget_spending",
                columns: table => new
                {
                    organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    scope = table.Column<string>(type: "text", nullable: false),
                    subject = table.Column<string>(type: "text", nullable: false),
                    period_start = table.Column<int>(type: "integer", nullable: false),
                    spent = table.Column<decimal>(type: "numeric", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_budget_spending", x => new { x.organisation_id, x.scope, x.subject, x.period_start });
                });

            migrationBuilder.CreateTable(
                name: "end_user_budgets",
                columns: table => new
                {
                    organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    end_user = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    amount = table.Column<decimal>(type: "numeric", nullable: true),
                    currency = table.Column<string>(type: "text", nullable: true),
                    period = table.Column<string>(type: "text", nullable: true),
                    changed_by = table.Column<string>(type: "text", nullable: false),
                    changed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_end_user_budgets", x => new { x.organisation_id, x.end_user });
                });

            migrationBuilder.Sql(
                """
                UPDATE usage_records SET service_version = version ->> 'version'
                FROM listings, jsonb_array_elements(listings.state -> 'versions') AS version
                WHERE listings.listing_id = usage_records.listing_id AND (version ->> 'versionId')::uuid = usage_records.version_id
                """);

            migrationBuilder.CreateIndex(
                name: "ix_usage_records_organisation_id_end_user_day",
                table: "usage_records",
                columns: new[] { "organisation_id", "end_user", "day" },
                filter: "end_user IS NOT NULL");

            foreach (var mirrored in new[] { "aliases", "end_user_budgets" })
            {
                migrationBuilder.Sql(LlmMarketplace.Storage.MirroredTables.CreateTrigger(mirrored));
            }
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "aliases");

            migrationBuilder.DropTable(
                name: "budget_alerts");

            migrationBuilder.DropTable(
                name: "budget_spending");

            migrationBuilder.DropTable(
                name: "end_user_budgets");

            migrationBuilder.DropIndex(
                name: "ix_usage_records_organisation_id_end_user_day",
                table: "usage_records");

            migrationBuilder.DropColumn(
                name: "end_user",
                table: "usage_records");

            migrationBuilder.DropColumn(
                name: "service_version",
                table: "usage_records");

            migrationBuilder.DropColumn(
                name: "tags",
                table: "usage_records");

            migrationBuilder.DropColumn(
                name: "end_user_budget_amount",
                table: "keys");

            migrationBuilder.DropColumn(
                name: "end_user_budget_currency",
                table: "keys");

            migrationBuilder.DropColumn(
                name: "end_user_budget_period",
                table: "keys");

            migrationBuilder.DropColumn(
                name: "tracks_end_users",
                table: "counters");

            migrationBuilder.DropColumn(
                name: "end_user",
                table: "admissions");

            migrationBuilder.DropColumn(
                name: "service_version",
                table: "admissions");

            migrationBuilder.DropColumn(
                name: "tags",
                table: "admissions");
        }
    }
}
