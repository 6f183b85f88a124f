using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmMarketplace.Consumption.Migrations
{
    /// <inheritdoc />
    public partial class OpenApiDocuments : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "openapi_documents",
                columns: table => new
                {
                    version_id = table.Column<Guid>(type: "uuid", nullable: false),
                    document = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_openapi_documents", x => x.version_id);
                });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "openapi_documents");
        }
    }
}
