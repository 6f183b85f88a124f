using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmMarketplace.Consumption.Migrations
{
    /// <inheritdoc />
    public partial class KeyLimits : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<long>(
                name: "concurrent_calls",
                table: "keys",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "labels",
                table: "keys",
                type: "jsonb",
                nullable: false,
                defaultValueSql: "'{}'");

            migrationBuilder.Sql("UPDATE keys SET labels = jsonb_build_object('label', label) WHERE label IS NOT NULL");

            migrationBuilder.DropColumn(
                name: "label",
                table: "keys");

            migrationBuilder.AddColumn<byte[]>(
                name: "previous_hash",
                table: "keys",
                type: "bytea",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "previous_until",
                table: "keys",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "requests_per_minute",
                table: "keys",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "suspended_at",
                table: "keys",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "tokens_per_minute",
                table: "keys",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "version",
                table: "keys",
                type: "bigint",
                nullable: false,
                defaultValue: 0L);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "concurrent_calls",
                table: "keys");

            migrationBuilder.DropColumn(
                name: "labels",
                table: "keys");

            migrationBuilder.DropColumn(
                name: "previous_hash",
                table: "keys");

            migrationBuilder.DropColumn(
                name: "previous_until",
                table: "keys");

            migrationBuilder.DropColumn(
                name: "requests_per_minute",
                table: "keys");

            migrationBuilder.DropColumn(
                name: "suspended_at",
                table: "keys");

            migrationBuilder.DropColumn(
                name: "tokens_per_minute",
                table: "keys");

            migrationBuilder.DropColumn(
                name: "version",
                table: "keys");

            migrationBuilder.AddColumn<string>(
                name: "label",
                table: "keys",
                type: "text",
                nullable: true);
        }
    }
}
