using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmMarketplace.Consumption.Migrations
{
    /// <inheritdoc />
    public partial class JsonWithoutStatistics : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // No index is on them, so no plan depends on what is in them; and to sort thousands of documents for statistics took a third of PostgreSQL's time while records came in fast.
            migrationBuilder.Sql("ALTER TABLE usage_records ALTER COLUMN provider_usage SET STATISTICS 0, ALTER COLUMN attempts SET STATISTICS 0, ALTER COLUMN tags SET STATISTICS 0");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("ALTER TABLE usage_records ALTER COLUMN provider_usage SET STATISTICS -1, ALTER COLUMN attempts SET STATISTICS -1, ALTER COLUMN tags SET STATISTICS -1");
        }
    }
}
