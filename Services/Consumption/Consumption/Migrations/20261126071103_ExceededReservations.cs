using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmMarketplace.Consumption.Migrations
{
    /// <inheritdoc />
    public partial class ExceededReservations : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<bool>(
                name: "exceeded_reservation",
                table: "usage_records",
                type: "boolean",
                nullable: false,
                defaultValue: false);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "exceeded_reservation",
                table: "usage_records");
        }
    }
}
