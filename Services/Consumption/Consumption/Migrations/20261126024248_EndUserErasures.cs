using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmMarketplace.Consumption.Migrations
{
    /// <inheritdoc />
    public partial class EndUserErasures : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "end_user_erasures",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    organisation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    mark = table.Column<byte[]>(type: "bytea", nullable: true),
                    pseudonym = table.Column<string>(type: "text", nullable: false),
                    requested_by = table.Column<string>(type: "text", nullable: false),
                    requested_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    records = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_end_user_erasures", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_end_user_erasures_organisation_id_id",
                table: "end_user_erasures",
                columns: new[] { "organisation_id", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_end_user_erasures_requested_at",
                table: "end_user_erasures",
                column: "requested_at",
                filter: "mark IS NOT NULL");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "end_user_erasures");
        }
    }
}
