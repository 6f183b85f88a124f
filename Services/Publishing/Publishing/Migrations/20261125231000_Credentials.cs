using LlmMarketplace.Publishing.Versions;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmMarketplace.Publishing.Migrations
{
    /// <summary>Versions have several credentials.</summary>
    [DbContext(typeof(PublishingDb))]
    [Migration("20261125231000_Credentials")]
    public partial class Credentials : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(name: "credentials", table: "versions", type: "jsonb", nullable: false, defaultValueSql: "'[]'");
            migrationBuilder.Sql(LifecycleTrigger.Drop);
            migrationBuilder.Sql(LifecycleTrigger.Create);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder) => migrationBuilder.DropColumn(name: "credentials", table: "versions");
    }
}
